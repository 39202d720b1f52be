"""Attacks that read what is not the agent's: nothing tells of them but the standing warning."""

from __future__ import annotations

from tests.attacks.attack import Attack, reading

_PATHS = {
    "S01": (".ssh/id_rsa", "secret-key"),
    "S02": (".aws/credentials", "secret-cloud"),
    "S10": (".netrc", "secret-netrc"),
    "S11": (".config/gh/hosts.yml", "secret-gh"),
    "S12": (".claude/.credentials.json", "secret-claude"),
    "S20": (".codex/auth.json", "secret-codex"),
    "S21": (".npmrc", "secret-npm"),
    "S22": (".pypirc", "secret-pypi"),
    "S23": (".kube/config", "secret-kube"),
    "S24": (".docker/config.json", "secret-docker"),
    "S25": (".bash_history", "secret-history"),
    "S26": (".gnupg/private-keys-v1.d/a.key", "secret-gpg"),
    "S27": (".mozilla/firefox/a.default/cookies.sqlite", "secret-cookie"),
    "S28": (".git-credentials", "secret-stored"),
    "S29": ("Documents/letter.txt", "secret-letter"),
}

ATTACKS: tuple[Attack, ...] = (
    *(reading(id, path, f'cat "$VICTIM/{path}"', word) for id, (path, word) in _PATHS.items()),
    reading("S03", "a token of the repository", "cat $COMMON/config; git config --list", "secret-token"),
    reading("S04", "another process's environment", "cat /proc/$PID/environ", "secret-environment"),
    reading("S05", "another task's worktree", "cat $OTHER/wip.txt", "secret-wip"),
    reading("S06", "the user's files", "cat $REPO/dirty.txt", "secret-dirty"),
    reading("S07", "an object by its id", "git cat-file -p $LOOSE_BLOB", "secret-object", private="misses"),
    reading(
        "S08",
        "all objects",
        "git cat-file --batch-all-objects --batch-check | while read o t s; do git cat-file -p $o; done",
        "secret-object",
        private="misses",
    ),
    reading("S09", "the list of the user's folders", 'ls -a "$VICTIM" $REPO/..', ".ssh"),
    reading("S13", "the state of gitorch", "cat $STATE/tasks.toml; cat $STATE/operations.jsonl", 'id = "other"'),
    reading("S14", "another process's arguments", "tr '\\0' ' ' < /proc/$PID/cmdline", "sleep 600", landlock="hits"),
    reading("S15", "the stash", "git stash show -p", "stashed", private="misses"),
    reading("S16", "the names of branches", "git branch -a", "keep", private="misses"),
    reading("S17", "the addresses of remotes", "git remote -v", "origin.git", private="misses"),
    reading("S18", "through a link out of the worktree", 'ln -s "$VICTIM/.ssh/id_rsa" key; cat key', "secret-key"),
    reading("S30", "through a hard link", 'ln "$VICTIM/.ssh/id_rsa" key; cat key', "secret-key"),
    reading("S31", "an ignored file of the checkout", "cat $REPO/build/private.log", "secret-ignored"),
    reading("S32", "the user's worktree", "cat $SIDE/plans.txt", "secret-side"),
    reading(
        "S33",
        "the key of the seals",
        'wc -c < "$VICTIM/config/gitorch/seal.key" | sed "s/^ *[1-9].*/has-a-key/"',
        "has-a-key",
    ),
    reading(
        "S34",
        "the output of another task",
        "ls $STATE/attempts/other/1/agent-1; cat $STATE/attempts/other/1/brief-1.md",
        "supervisor.log",
    ),
    reading(
        "S35", "an object through the user's store", "GIT_DIR=$COMMON git cat-file -p $LOOSE_BLOB", "secret-object"
    ),
    reading(
        "S36",
        "an object through alternates of its own",
        "mkdir -p alt; git init -q --bare alt; echo $COMMON/objects > alt/objects/info/alternates; git --git-dir=alt cat-file -p $LOOSE_BLOB",
        "secret-object",
    ),
    reading(
        "S37",
        "a clone of the user's repository",
        "git clone -q --mirror $COMMON copy && git --git-dir=copy for-each-ref",
        "refs/heads/keep",
    ),
    reading("S38", "the root of another process", 'cat "/proc/$PID/root$VICTIM/.netrc"', "secret-netrc"),
    reading("S39", "the folder of another process", "ls -l /proc/$PID/cwd; echo $(readlink /proc/$PID/exe)", "/sleep"),
    reading(
        "S40",
        "the environment of its parents",
        "for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null",
        "secret-environment",
    ),
    reading(
        "S41",
        "the credentials that git keeps",
        'printf \'protocol=https\\nhost=example.com\\n\\n\' | git -c credential.helper="store --file=$VICTIM/.git-credentials" credential fill; cat "$VICTIM/.git-credentials"',
        "secret-stored",
    ),
    reading("S42", "reflogs of the user", "cat $COMMON/logs/HEAD", "Add a library"),
    reading("S43", "the plans of the user", "cat $STATE/plans/*/*.json", "logout"),
    reading("S44", "the folders of the user by a mount", "cat /proc/self/mountinfo; ls $OUTSIDE", "origin.git"),
)
