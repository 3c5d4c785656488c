"""One training in several processes: rank 0 is the leader, the other ranks are workers.

ranks              the processes that torchrun started, and how they communicate; `messages` has the bytes
leader             creates the streams and the engine of the training, here and in every worker
worker             executes the messages of the leader
gradient_exchange  sums the gradients of all processes in a fixed order
"""
