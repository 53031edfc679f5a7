"""Noria: an LLMOps platform in one package.

Every call becomes a record; every record can be judged; every judgement can change what ships.
"""

__version__ = "0.1.0"
