"""The commands of `yilian rules`, a file each: `configure` names its options, `run` returns its exit code."""
