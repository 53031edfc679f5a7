"""What can be called: a provider's model, a local engine, and the wrappers around them, one idea a file.

A target answers a request with a stream of events: first ``Sent`` (possibly again, when the call is tried anew; the
last one counts), then the reply. Failures raise from the iterator, never from ``call``; closing the iterator cancels
the call upstream at once.
"""
