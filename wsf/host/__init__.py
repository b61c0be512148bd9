"""Hosting services: from code (``ServiceHost``), a file (``hosts_of``), the shell (``__main__``)."""

from wsf.host.configured import hosts_of
from wsf.host.endpoints import ServiceEndpoint
from wsf.host.service_host import ServiceHost

__all__ = ("ServiceEndpoint", "ServiceHost", "hosts_of")
