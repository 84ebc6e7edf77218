"""Write the committed schema: `python -m policies.schema`."""

from policies.schema.committed import SCHEMA_FILE
from policies.schema.generated import generated_text

SCHEMA_FILE.write_text(generated_text(), encoding="utf-8")
