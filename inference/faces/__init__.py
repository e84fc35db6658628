"""One package for each wire format: how it asks (`body`), how it is answered
(`answer`), and its endpoint (`view`). Beside them, what staff and tools ask.
"""
