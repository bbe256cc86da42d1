"""Video rooms: who may enter which consultation's room when, who is let in, who was there.

`model` and `decide` are pure; `service` is what the API calls; `store` are the tables; `livekit` is the
video server, which is told ids and no names.
"""
