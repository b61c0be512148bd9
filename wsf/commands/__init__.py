"""The commands that talk to a service without its contract: ``wsf call`` and ``wsf listen``.

Exit status of both: 0 done, 1 the service answered with a fault, 2 there was no answer.
"""
