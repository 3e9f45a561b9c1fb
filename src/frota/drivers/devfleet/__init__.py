"""Real Kubernetes API servers on this machine, to try things on and to test against.

Each cluster is etcd and kube-apiserver, and as asked for the real controller manager and
scheduler, with kwok standing in for the kubelets: pods "run" without a container.
"""
