"""The pages that begin: `/`, which says where to point a client, and `/chat/`.

Anybody may open them. What they tell of the models is what `/v1/models` tells the
same visitor.
"""
