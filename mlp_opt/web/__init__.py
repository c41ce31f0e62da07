"""The live page: a small server, and a front end that draws what the server computes."""
