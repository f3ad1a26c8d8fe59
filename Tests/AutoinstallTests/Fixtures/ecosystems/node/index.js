module.exports = process.env.STRIPE_SECRET_KEY;
