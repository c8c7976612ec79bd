"""One run: study file, pipeline, cache, manifest, command line, exports, built-in studies."""
