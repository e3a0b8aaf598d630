"""Parts that the widgets share: small controls, the paged table, a guard around callbacks, and their output."""
