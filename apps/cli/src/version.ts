/** Version of the command line and, when it runs the gateway, of the gateway. */
export const VERSION = '0.1.0';
