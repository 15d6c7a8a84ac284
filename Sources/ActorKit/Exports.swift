// A handler speaks of `Envelope`, `Route`, `Headers` and `RawJSON`: one import is enough for all of it.
@_exported public import Envelopes
