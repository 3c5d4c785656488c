"""The same training written with other libraries, to compare its speed and its losses with recurra's."""
