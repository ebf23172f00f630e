"""What a source means: files of rules that turn events into changes."""
