"""One training in several processes: rank 0 is the leader, the other ranks are workers.

ranks              the processes that torchrun started, and their communication; `messages` encodes it as bytes
leader             creates the stream and the engine, in the leader and in every worker
worker             executes the messages of the leader
gradient_exchange  sums the gradients of all processes in a fixed order
"""
