"""Codecs of engines: types of libraries that compute on tables larger than memory."""
