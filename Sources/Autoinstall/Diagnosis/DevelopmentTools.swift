/// Commands of tools that a language's own package manager brings, and the package by name.
enum DevelopmentTools {
    static let python = [
        "pytest": "pytest", "py.test": "pytest", "tox": "tox", "nox": "nox", "coverage": "coverage", "flake8": "flake8", "mypy": "mypy", "black": "black",
        "isort": "isort", "ruff": "ruff", "pylint": "pylint", "cython": "cython", "sphinx-build": "sphinx", "sphinx-apidoc": "sphinx", "poetry": "poetry",
        "uv": "uv", "hatch": "hatch", "pdm": "pdm", "flit": "flit", "maturin": "maturin", "pre-commit": "pre-commit", "nosetests": "nose", "trial": "twisted",
        "zope-testrunner": "zope.testrunner", "stestr": "stestr", "pip-compile": "pip-tools", "twine": "twine", "mkdocs": "mkdocs", "jupyter": "jupyter",
        "pyright": "pyright", "behave": "behave", "robot": "robotframework", "ansible": "ansible", "scons": "scons", "conan": "conan", "invoke": "invoke",
        "green": "green", "ward": "ward", "ptw": "pytest-watch", "bandit": "bandit", "codespell": "codespell", "yapf": "yapf", "django-admin": "django",
        "alembic": "alembic", "celery": "celery", "gunicorn": "gunicorn", "uvicorn": "uvicorn", "ipython": "ipython", "pybabel": "babel", "meson": "meson",
    ]

    static let node = [
        "tsc": "typescript", "ts-node": "ts-node", "tsx": "tsx", "jest": "jest", "mocha": "mocha", "vitest": "vitest", "ava": "ava", "tap": "tap",
        "tape": "tape",
        "nyc": "nyc", "c8": "c8", "eslint": "eslint", "prettier": "prettier", "webpack": "webpack-cli", "rollup": "rollup", "vite": "vite",
        "esbuild": "esbuild",
        "babel": "@babel/cli", "gulp": "gulp-cli", "grunt": "grunt-cli", "karma": "karma", "jasmine": "jasmine", "standard": "standard", "xo": "xo",
        "tslint": "tslint", "rimraf": "rimraf", "cross-env": "cross-env", "npm-run-all": "npm-run-all", "run-s": "npm-run-all", "run-p": "npm-run-all",
        "concurrently": "concurrently", "lerna": "lerna", "nx": "nx", "turbo": "turbo", "ng": "@angular/cli", "next": "next", "nuxt": "nuxt",
        "playwright": "@playwright/test",
        "cypress": "cypress", "nodemon": "nodemon", "parcel": "parcel", "biome": "@biomejs/biome", "swc": "@swc/cli", "tsup": "tsup", "uvu": "uvu",
        "shx": "shx",
        "node-gyp": "node-gyp", "microbundle": "microbundle", "husky": "husky", "browserify": "browserify", "uglifyjs": "uglify-js", "terser": "terser",
    ]

    static let ruby = [
        "rspec": "rspec", "rake": "rake", "rubocop": "rubocop", "cucumber": "cucumber", "minitest": "minitest", "rails": "rails", "yard": "yard",
        "jekyll": "jekyll",
        "standardrb": "standard", "guard": "guard", "rackup": "rackup",
    ]

    /// Commands whose packages are needed together.
    static let together: Set<String> = ["pip", "pip3"]
}
