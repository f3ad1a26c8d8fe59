from setuptools import setup, Extension
setup(
    name="fastparse",
    version="0.3",
    packages=["fastparse"],
    python_requires=">=2.7, <3.10",
    ext_modules=[Extension("fastparse._c", ["fastparse/_c.c"], libraries=["yaml"])],
    test_suite="tests",
)
