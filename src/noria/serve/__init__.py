"""HTTP: the gateway, the REST API, metrics and the browser client, behind one door that asks for a key."""
