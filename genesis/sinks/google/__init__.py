"""Google: the client that the sinks of Google's places share."""
