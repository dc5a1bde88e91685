"""Addresses that programs read differently, or not at all, and the values in which addresses stand."""

ODD_ADDRESSES = [
    *("http://x:99999", "http://x:0", "http://x:", "http://x:08", " http://x:1 ", "http://x:1\n", "HTTP://X:1/V1"),
    *("http://010.0.0.1:1", "http://10.1", "http://10.0.0.256", "http://0x7f.1", "http://a.1", "http://10.0.0.1."),
    *("http://x\\y:1", "http://x%41:1", "http://x:1/%zz", "http://x:1/%41", "http://x:1/a b", "http://x:1/ä", "x:1"),
    *("http://[::1]:1", "http://[::]", "http://[1::2::3]", "http://[::ffff:10.0.0.1]", "http://[::ffff:a00:1]"),
    *("http://[::a00:1]:1", "http://[FD00::7]:1/v1", "http://[fd00::7", "http://x:1/a@b", "http://X.Y:1", "http://"),
    *("http://a..b", "http://ä", "http://x:1/\0"),
]
ADDRESSES = (
    *("summarization.endpoint", "mlflow.url", "opentelemetry.endpoint", "proxy.https", "networkPolicy.to.mlflow"),
    *("notifications.url", "networkPolicy.to.notifications"),
    *("MODEL_URL", "networkPolicy.to.postgresql", "networkPolicy.to.identityProvider", "proxy.http"),
)
