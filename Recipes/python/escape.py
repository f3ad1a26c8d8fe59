import markupsafe
from markupsafe import _speedups

print(markupsafe.escape("<b>"), "by", _speedups.__name__.split(".")[-1])
