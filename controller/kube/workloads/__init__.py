"""What a trial's workload is to the operator: how it is made, judged, stopped and explained.

Pure functions over plain documents; whoever calls them speaks to the API server.
"""
