"""`turnout schema`: the JSON Schema of the YAML file, for editors."""

from __future__ import annotations

import json

import click

from turnout.config.loading import json_schema


@click.command()
def schema() -> None:
    """Write the JSON Schema of turnout.yaml, for editors that complete and check YAML."""
    click.echo(json.dumps(json_schema(), indent=2))
