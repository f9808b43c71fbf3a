"""A pod in which users' clients run: as in a notebook, with the rights of its owner."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Notebook:
    """Runs Python programs in its pod. `first` stands before each of them."""

    namespace: Any
    first: str

    def run(self, program: str) -> str:
        """Run a program to its end; return what it printed."""
        # The clients read the source of what they are to run: it must be a file.
        script = 'cat > "$0" && exec timeout 240 python3 "$0"'
        words = ("exec", "notebook", "--stdin", "--", "sh", "-c", script, "/tmp/program.py")
        said: str = self.namespace.kubectl(*words, given=f"{self.first}\n{program}")
        return said

    def tells(self, program: str) -> Any:
        """Run a program; return the JSON that it printed last."""
        return json.loads(self.run(program).splitlines()[-1])


def open_notebook(namespace: Any, image: str, first: str) -> Notebook:
    """Start a notebook whose owner may edit what is in its namespace."""
    namespace.kubectl("create", "serviceaccount", "notebook")
    account = f"--serviceaccount={namespace.name}:notebook"
    namespace.kubectl("create", "rolebinding", "notebook", "--clusterrole=edit", account)
    namespace.pod("notebook", "sleep", "infinity", image=image, serviceAccountName="notebook")
    namespace.kubectl("wait", "--for=condition=Ready", "pod/notebook", "--timeout=60s")
    return Notebook(namespace, first)
