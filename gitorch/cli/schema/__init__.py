"""The JSON answers: one typed struct per answer, and the functions that fill it from values of the model.

An answer is a subclass of `answer.Answer`, tagged with its schema (`gitorch/<command>/1`). The parts that answers share
end in `Json`. `docs/make_schemas.py` exports all of them as JSON Schemas; the docstrings become their descriptions.
"""
