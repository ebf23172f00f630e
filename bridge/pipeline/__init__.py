"""The steps: receive, translate, resolve, deliver."""
