"""One training in several processes: ranks, messages, the exchange of gradients, the leader and its workers."""
