"""Network dissection and Net2Vec: which units detect which concepts, beside chance."""
