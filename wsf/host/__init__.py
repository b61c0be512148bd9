"""Hosting services: from code (``ServiceHost``), from a file and the shell (``__main__``)."""

from wsf.host.service_host import ServiceEndpoint, ServiceHost

__all__ = ("ServiceEndpoint", "ServiceHost")
