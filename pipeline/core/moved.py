"""Keys that params.yaml had in the first edition of Restage, and where what they said stands now."""

WITHIN = {
    "builtin": "the section is one entry: write `builtin: {demo: {...}}`",
    **dict.fromkeys(["systems.second_teacher", "systems.third_teacher"],
                    "the mean of several networks is an entry of ensembles; name it as the system's `teacher`"),
    **dict.fromkeys(["systems.ensemble", "labels.ensemble"], "it is called self_ensemble"),
    "systems.truth": "the oracle is an entry of oracles: {start, captures, truth}, and an entry of rows scores it",
    "systems.supervised": "it stands in the oracle's entry of oracles",
    **dict.fromkeys(["tests.far", "tests.far_truth"],
                    "a second test set of captures is an entry of far, of the same name: {captures, truth}"),
    **dict.fromkeys(["rows.first", "rows.second", "rows.third"],
                    "a row names one `network`; a chain of several is an entry of chains: {first, then}"),
}
NEW_SECTIONS = ("oracles", "fits", "unsharpens", "chains", "ensembles", "far")


def moved(values: dict) -> list[str]:
    """A sentence for each kind of key that moved, with the first place where it stands; none for a file of today's form."""
    found: dict[str, str] = {}
    if isinstance(values.get("builtin"), dict) and "natural_scenes" in values["builtin"]:
        found["builtin"] = "builtin"
    for key in WITHIN:
        section, _, field = key.partition(".")
        entries = values.get(section)
        if field and isinstance(entries, dict):
            for name, entry in entries.items():
                if isinstance(entry, dict) and field in entry:
                    found.setdefault(WITHIN[key], f"{section}.{name}.{field}")
    said = [f"{where}: {WITHIN.get(text, text)}" for text, where in found.items()]
    if said and (absent := [section for section in NEW_SECTIONS if section not in values]):
        said.append(f"the sections {', '.join(absent)} are missing: write {{}} for each that holds nothing")
    return said
