{
    'name': 'WhatsApp (sicantik_wa)',
    'summary': "What the database sends by WhatsApp: its ledger, why, and the few actions",
    'version': '1.1',
    'category': 'Discuss',
    'author': 'sicantik_wa contributors',
    'license': 'Other OSI approved licence',
    'depends': ['base', 'web'],
    'data': [
        'security/groups.xml',
        'security/ir.model.access.csv',
        'screens/screens.xml',
    ],
    'application': True,
}
