"""The rules, by id: the reason and the remedy that a finding shows with its own message."""

from __future__ import annotations

from .findings import Rule

_ALL = (
    Rule(
        "CKP001",
        "Every file can be read",
        "What cannot be parsed cannot be reviewed, and the run would stop at it too.",
        "Correct the syntax, or save the file as UTF-8.",
    ),
    Rule(
        "CKP002",
        "An exception says why, and is still needed",
        "An exception without a reason cannot be judged by the next reader, and one that allows "
        "nothing hides a later mistake.",
        "Write `# review: allow CKP201 because ...` with the reason, or delete the comment.",
    ),
    Rule(
        "CKP101",
        "A segment has at most `max_steps` steps",
        "All RAM comes back only at the end of a segment; the limit keeps that moment near.",
        "Move the later steps to a segment of their own, and list it in pipeline.py.",
    ),
    Rule(
        "CKP102",
        "A step annotates every parameter and its result",
        "The annotation says as what a value is loaded, checked and stored.",
        "Write the type, such as `flights: pd.DataFrame`, and `-> None` for a sink.",
    ),
    Rule(
        "CKP103",
        "A segment imports no other segment",
        "What a segment takes from another besides checkpointed values ties the two together: "
        "neither can be moved, cut or re-run alone.",
        "Take the value as a parameter, and move a shared function to a module beside `segments`.",
    ),
    Rule(
        "CKP104",
        "Nothing of the runtime is used but what it exports",
        "Its inside changes with every update of the template, without notice.",
        "Import `step`, `Columns`, `Segment` or `Pipeline` from `checkpointing`; register what is "
        "missing in adapters.py.",
    ),
    Rule(
        "CKP105",
        "The template's files are unedited",
        "The next update replaces the runtime and the files that check the code, and the tests "
        "behind their promises cover no edit.",
        "Restore the file, and put the change into adapters.py, between the file's lines `yours` "
        "and `end of yours`, or into a patch with its reason; finish an update by the command "
        "`update`.",
    ),
    Rule(
        "CKP106",
        "A value is of a type that a checkpoint keeps",
        "What a step returns is written to a file and read again. A figure, a connection or an "
        "open file would not come back as it was, so the pipeline cannot be built.",
        "Return what the finding says in place of it, or register a codec for the type in "
        "adapters.py.",
    ),
    Rule(
        "CKP201",
        "A step reads and writes no place of its own choice",
        "What a step reads past its parameters is not in its key, so a change there goes "
        "unnoticed; what it writes elsewhere is neither checkpointed nor published whole.",
        "Take the file or URL from [inputs] as a parameter; write to `workdir` and return the "
        "path, or write in a sink, a step that returns None.",
    ),
    Rule(
        "CKP202",
        "A step keeps no state outside itself",
        "Steps of one process would see it, steps after a cut would not: the result would depend "
        "on where the cuts are.",
        "Return what later steps need, and make generators, sessions and options inside the step.",
    ),
    Rule(
        "CKP203",
        "A step leaves the lists, dicts and arrays that it was given as they are",
        "A value is what its checkpoint would give back. Arrays arrive read-only, so changing one "
        "fails; a changed list or dict is a private copy here, but the caller's own in a test.",
        "Make a new one: `[*rows, row]`, `limits | {...}`, `np.where(...)`, or `.copy()` first.",
    ),
    Rule(
        "CKP204",
        "Randomness has a seed",
        "A segment that runs again after a crash would make another value than the one that its "
        "neighbours were made from.",
        "Pass a seed from [params]: `np.random.default_rng(seed)`; make identifiers from the data.",
    ),
    Rule(
        "CKP205",
        "A value does not depend on the clock",
        "The same inputs would give another value in the next run, and a reused checkpoint an old "
        "date.",
        "Take the date as a param, and set it with `run --set day=2013-01-31`. The run measures "
        "how long each step takes.",
    ),
    Rule(
        "CKP206",
        "Nothing is pickled",
        "A pickle runs code when it is read, breaks with the next version of a library, and is "
        "copied through RAM whole.",
        "Return the table, array or JSON itself; write models in their library's own format to "
        "`workdir`.",
    ),
    Rule(
        "CKP207",
        "Imports name the modules that they load",
        "A key covers the code that imports name. For a computed name all modules of the package "
        "count, and code of other places counts only after a run has loaded it.",
        "Import each module that may be meant, and choose among them in a dict.",
    ),
    Rule(
        "CKP208",
        "A step takes environment variables as parameters",
        "A variable that a step reads itself is not in its key: with another value the former "
        "result is reused, and a missing one stops the run in its middle.",
        'Name it under [env] in pipeline.toml, `region = "REGION"`, and take it as a parameter; a '
        'password is `{ variable = "DB_PASSWORD", secret = true }`.',
    ),
    Rule(
        "CKP301",
        "Data lives in values, not in modules or caches",
        "A module's data and a cache are held by every process that imports them, until it ends, "
        "and no checkpoint or budget counts them as a value.",
        "Make it a step: its value is loaded where it is needed and freed after its last use.",
    ),
    Rule(
        "CKP302",
        "No ritual `del` or `gc.collect`",
        "A value is freed after its last use anyway, and freed memory need not go back to the "
        "system: only the end of the process gives it all back.",
        "Delete the line. If memory runs out, load fewer columns, split the step, or cut earlier.",
    ),
    Rule(
        "CKP303",
        "A step loads just the columns that it uses",
        "After a cut a table comes from disk, and columns that nobody reads are read with it.",
        'Annotate the parameter: `Annotated[pd.DataFrame, Columns("delay")]`.',
    ),
    Rule(
        "CKP304",
        "A step that takes batches does not put them together again",
        "Batches keep a table that is larger than memory out of memory. Once all of them are held "
        "at once, the step needs as much as for the whole table, or more.",
        "Work on each batch and `yield` it, keep of each only a partial result, or take the whole "
        "table if it fits: `flights: pd.DataFrame`.",
    ),
    Rule(
        "CKP401",
        "The budget is raised by those who own it",
        "The quota is a share of a cluster that others need too: it is granted, not taken.",
        "Name the owners of memory_budget.toml in CODEOWNERS first, and let them approve.",
    ),
    Rule(
        "CKP402",
        "The owners' file covers the budget and the runtime",
        "A file that nobody owns can be changed without those who answer for it.",
        "Add the path to CODEOWNERS with a team or a name behind it.",
    ),
)

RULES = {rule.id: rule for rule in _ALL}
