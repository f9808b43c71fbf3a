"""The descriptor pool of our stubs.

protobuf refuses two files that define one symbol in one pool, and the stubs of
`kubeflow-katib` put `api.v1.beta1` into the default one. Ours live in a pool of
their own, so that both can be imported in one process, in either order.
"""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
