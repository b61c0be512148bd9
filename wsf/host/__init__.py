"""Hosting services: from code (``ServiceHost``), from a file and the shell (``__main__``)."""

from wsf.host.endpoints import ServiceEndpoint
from wsf.host.service_host import ServiceHost

__all__ = ("ServiceEndpoint", "ServiceHost")
