"""What the HTML pages show: values for the templates, without HTTP."""
