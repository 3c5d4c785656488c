"""The HTTP server: an API that clients of OpenAI's API can use, on loopback unless the user allows another address.

Read the modules in the order in which a request passes them:

access, listening    the host names and the key that the server accepts; its listening socket
server, connection   the server process and its graceful shutdown; one connection and its deadlines (`limits`)
security             the guard: it checks every request before it calls the application
application          the routes and their shared state: `services` has the queues of each model in the `registry`
common_routes        `/health`, `/v1/models`, `/session`
completions          `/v1/completions`, in four steps:
                     request (`schemas`) → `validation` → `generation_queue` → stream (`completion_stream`,
                     with `completion_choices` for the JSON of each choice)
scores               `/v1/score`, by way of `scoring_queue`
responses            encoding of every response: JSON, events, and all errors

Each model has two worker threads: one generates the texts of all requests in parallel, the other computes
log-probabilities. The server trusts no byte from a client, and a slow connection delays no other client.
"""
