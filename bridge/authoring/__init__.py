"""What helps to write mapping files: explanations, suggestions, drafts, coverage, reports, the editor's schema."""
