"""Ways to prove that nothing runs on a host: fence agents (``agents``) and leases that
make a host end its own VMs (``lease``, ``host``), put together by ``fencing``."""
