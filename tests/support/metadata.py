"""Addresses of clouds' metadata services, as somebody writes them who wants them to pass for others."""

METADATA_ADDRESSES = [
    "http://169.254.169.254",
    "http://169.254.170.2",
    "http://2852039166",
    "http://0251.0376.0251.0376",
    "http://0xa9fea9fe:80/",
    "http://169.16689662",
    "http://[::ffff:169.254.169.254]",
    "http://[::ffff:a9fe:a9fe]:80",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://[2002:a9fe:a9fe::1]",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]:80",
    "http://[fd20:ce::254]",
    "http://metadata.google.internal",
    "http://METADATA.google.internal.:80",
    "http://100.100.100.200",
    "https://168.63.129.16",
]
