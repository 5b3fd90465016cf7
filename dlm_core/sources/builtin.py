"""What is left out unless a `.dlm/training.yaml` says `exclude_defaults: false`: what machines made, at any depth."""

from __future__ import annotations

from collections.abc import Collection

#: Folders of version control, environments, build output and caches.
FOLDERS = frozenset(
    [
        *(".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS"),
        *(".venv", "venv", "env", "virtualenv", "node_modules", "bower_components", "jspm_packages", "site-packages"),
        *("__pycache__", "__pypackages__", ".eggs", ".ipynb_checkpoints", ".direnv", ".bundle", ".yarn", ".pnpm-store"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", ".cache", ".parcel-cache"),
        *("build", "dist", "target", "_build", "dist-newstyle", ".stack-work", ".gradle", ".dart_tool", "elm-stuff"),
        *("htmlcov", ".nyc_output", ".next", ".nuxt", ".svelte-kit", ".angular", ".turbo", ".serverless", "cdk.out"),
        *(".idea", ".vscode", ".vs", ".terraform", "Pods", "DerivedData", ".Trash", "lost+found", "$RECYCLE.BIN"),
    ]
)

#: Lock files, rules for other tools, and what file managers and test runs leave behind.
FILES = frozenset(
    [
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "deno.lock"),
        *("poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml", "pixi.lock", "Cargo.lock"),
        *("Gemfile.lock", "composer.lock", "go.sum", "go.work.sum", "mix.lock", "flake.lock", "Podfile.lock"),
        *("pubspec.lock", "packages.lock.json", "gradle.lockfile", ".terraform.lock.hcl", "Package.resolved"),
        *(".gitignore", ".gitattributes", ".gitmodules", ".gitkeep", ".dockerignore", ".npmignore"),
        *(".DS_Store", "Thumbs.db", "desktop.ini", ".coverage"),
    ]
)

#: Compiled, minified, packed: bytes or lines nobody wrote; and documents, whose `!exam` answers must not be learned.
SUFFIXES = (
    *(".pyc", ".pyo", ".pyd", ".so", ".dylib", ".dll", ".o", ".a", ".obj", ".lib", ".class", ".jar", ".war", ".rlib"),
    *(".rmeta", ".wasm", ".exe", ".msi", ".whl", ".egg", ".min.js", ".min.css", ".js.map", ".css.map"),
    *(".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".7z", ".rar", ".iso", ".dmg"),
    *(".woff", ".woff2", ".ttf", ".otf", ".eot", ".ico"),
    ".dlm",
    *(".safetensors", ".gguf", ".onnx", ".pt", ".pth", ".npy", ".npz", ".pkl", ".pickle", ".sqlite", ".sqlite3"),
)


def skipped_suffixes(claimed: Collection[str]) -> tuple[str, ...]:
    """The suffixes left out where a reader claims some: a plugin that reads zip files is there to read them."""
    return tuple(suffix for suffix in SUFFIXES if suffix not in claimed)
