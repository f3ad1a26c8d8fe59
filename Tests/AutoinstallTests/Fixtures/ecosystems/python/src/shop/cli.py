import argparse, os
KEY = os.environ["STRIPE_API_KEY"]
