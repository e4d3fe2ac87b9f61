"""The contenders, ours first. Each module holds one library; one that cannot be imported is skipped and named."""
import importlib

MODULES = ["ours", "onednn", "pytorch", "ort", "ov"]


def available(setting):
    """[(module, its make function)] and {module: why it is skipped}. setting: see base.Setting."""
    found, skipped = [], {}
    for name in MODULES:
        if name != "ours" and setting.peers is not None and name not in setting.peers:
            continue
        try:
            module = importlib.import_module(f"contenders.{name}")
            setting.versions.update(module.start(setting))
            found.append(module.make)
        except (ImportError, OSError, RuntimeError) as error:
            if name == "ours":
                raise
            skipped[name] = f"{type(error).__name__}: {error}"
    return found, skipped
