"""senders"""

import click

from bridge.cli.terminal import console, table
from bridge.senders import SENDERS, published


@click.command("senders")
@click.argument("name", required=False, type=click.Choice(sorted(SENDERS)))
def command(name: str | None) -> None:
    """List the senders that mapping files can name, or show one with its options and event types."""
    if name:
        show(name)
        return
    rows = table("sender", "what it is", "what its secrets are")
    for sender in SENDERS.values():
        rows.add_row(sender.name, sender.summary, sender.credential)
    console.print(rows)


def show(name: str) -> None:
    sender = SENDERS[name]
    console.print(f"[bold]{sender.name}[/]: {sender.summary}\n\nsecrets: {sender.credential}\nabout:   {sender.url}")
    if sender.undated:
        console.print(f"note:    it may not say when things happened: {sender.undated}")
    if sender.weak:
        console.print(f"note:    {sender.weak}")
    for pattern, content in sender.thin.items():
        console.print(f"note:    its events {pattern} carry only {', '.join(content)}", markup=False)
    if sender.options is not None:
        rows = table("option", "what it is")
        for option, field in sender.options().fields.items():
            rows.add_row(option, str(field.metadata.get("help", "")) + (" Required." if field.required else ""))
        console.print()
        console.print(rows)
    if types := published.event_types(name):
        console.print(f"\nevent types that are known, and there may be more: {len(types)}")
        console.print("\n".join(types), markup=False)
