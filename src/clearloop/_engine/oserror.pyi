"""Error numbers of system calls as exceptions; called from C only."""
