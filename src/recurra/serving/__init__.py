"""A server of models and of the live page of a training, on loopback unless it is told otherwise.

server       serves on the socket of `listening`, and ends in order; `protocol` has the deadlines of a connection
security     what a request passes first: who may call; `limits` has every bound
application  the routes: `completion` and `scores`, `catalogue` and page/
writer       the thread that writes for all requests at once; `reader` the one that scores
live         the live page of one training as a process of its own; page/ has its routes and reads what the run writes

Whatever a client sends may be hostile, and no client waits for another one's bad connection.
"""
