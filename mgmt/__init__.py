"""The management application: commands, REST, jobs. Licence: GPL-3.0-or-later."""
